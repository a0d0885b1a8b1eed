"""Orders. Release 2.1.0 brought the loyalty discount, and with it what `make demo` lets you find."""

from __future__ import annotations

import logging
import os
import sqlite3
import time

from flask import Flask, request
from shop.service import ask, cursor, serve

app = Flask("orders")
log = logging.getLogger("orders")
HAS_LOYALTY = os.environ["RELEASE"] >= "2.1.0"
_LEVEL_PERCENT = {"bronze": 0, "silver": 3, "gold": 5}


@app.post("/orders")
def place_order() -> tuple[dict[str, object], int]:
    order = request.get_json()
    with cursor() as database:
        total_cents = sum(_price_cents(database, order["customer"], product_id) for product_id in order["products"])
        database.execute(
            "INSERT INTO orders (customer, placed_at, total_cents) VALUES (?, ?, ?)",
            [order["customer"], time.time(), total_cents],
        )
        order_id = database.lastrowid
        database.executemany(
            "INSERT INTO order_lines (order_id, customer, product_id) VALUES (?, ?, ?)",
            [(order_id, order["customer"], product_id) for product_id in order["products"]],
        )
    log.info("order %d of %s placed: %.2f EUR", order_id, order["customer"], total_cents / 100)
    return {"id": order_id, "total_cents": total_cents}, 201


def _price_cents(database: sqlite3.Cursor, customer: str, product_id: int) -> int:
    price_cents = int(ask("catalogue", f"/products/{product_id}").json()["price_cents"])
    return price_cents * (100 - _discount_percent(database, customer)) // 100 if HAS_LOYALTY else price_cents


def _discount_percent(database: sqlite3.Cursor, customer: str) -> int:
    """Return what a loyal customer saves: asked for every product again, of a table that has no index for it."""
    database.execute("SELECT count(*) FROM order_lines WHERE customer = ?", [customer])
    bought = database.fetchone()[0]
    level = ("bronze", "silver", "gold", "platinum")[min(3, bought // 100)]
    return _LEVEL_PERCENT[level]


if __name__ == "__main__":
    serve(app)
