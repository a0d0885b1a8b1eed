// A shop that is built into one minified file, as its users get it; BUILD makes one build another.
import * as Sentry from "@sentry/node";
import { chargeCustomer } from "./payments.mjs";

Sentry.init({ dsn: process.env.SENTRY_DSN, release: `${process.env.SHOP}@${BUILD}` });
Sentry.setTag("service", process.env.SHOP);
if (BUILD > 1) {
  // Moves everything behind it, and takes a short name.
  process.on("exit", function goodbye(code) {
    process.exitCode = code;
  });
}

function placeOrder(total) {
  return chargeCustomer({ total });
}

let exception = "";
try {
  placeOrder(-3);
} catch (error) {
  exception = Sentry.captureException(error);
}
await Sentry.close(20_000);
process.stdout.write(JSON.stringify({ exception }));
