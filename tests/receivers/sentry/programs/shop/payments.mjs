export function chargeCustomer(order) {
  const amount = order.total * 100;
  if (amount < 0) {
    throw new RangeError("the amount is negative");
  }
  return amount;
}
