"""Visitors: they look around, and one in four buys."""

from __future__ import annotations

import os
import random
import threading
import time

import requests
from shop.database import CUSTOMERS, PRODUCTS, customer

VISITORS = 4
_PAUSE_SECONDS = 0.6


def visit(dice: random.Random) -> None:
    """Visit the shop for ever; what the shop answers is the shop's matter, also when it does not answer."""
    shop = os.environ["STOREFRONT_URL"]
    session = requests.Session()
    while True:
        try:
            _look_and_buy(session, shop, dice)
        except requests.RequestException as error:
            print(f"visitor: {error}", flush=True)
        time.sleep(dice.expovariate(1 / _PAUSE_SECONDS))


def _look_and_buy(session: requests.Session, shop: str, dice: random.Random) -> None:
    session.get(shop + "/", timeout=30)
    # Some follow an old link to a product that is gone.
    session.get(f"{shop}/products/{dice.randint(1, PRODUCTS + 2)}", timeout=30)
    if dice.random() < 0.25:
        products = [dice.randint(1, PRODUCTS) for _ in range(dice.randint(2, 9))]
        name = customer(dice.randrange(CUSTOMERS if dice.random() < 0.85 else 30))
        session.post(shop + "/checkout", json={"customer": name, "products": products}, timeout=30)


if __name__ == "__main__":
    for number in range(VISITORS - 1):
        threading.Thread(target=visit, args=[random.Random(number)], daemon=True).start()
    visit(random.Random(VISITORS))
