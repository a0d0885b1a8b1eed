"""Makes the shop's database: 200 products and half a year of orders."""

from __future__ import annotations

import random
import sqlite3
import sys
import time
from contextlib import closing

PRODUCTS, CUSTOMERS, ORDERS = 200, 2_000, 120_000
_KINDS = ("Oolong", "Pu'er", "Sencha", "Assam", "Torque wrench", "Hex key", "Caliper", "Soldering iron")
_TABLES = """
CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, price_cents INTEGER, stock INTEGER, sold INTEGER);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, placed_at REAL, total_cents INTEGER);
CREATE TABLE order_lines (id INTEGER PRIMARY KEY, order_id INTEGER, customer TEXT, product_id INTEGER);
CREATE INDEX order_lines_order ON order_lines (order_id);
PRAGMA journal_mode = WAL;
"""


def customer(number: int) -> str:
    """Return the name of a customer; those with low numbers bought most of what was sold."""
    return f"customer-{number:04d}"


def make(path: str) -> None:
    dice = random.Random(21)
    now = time.time()
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(_TABLES)
        database.executemany(
            "INSERT INTO products VALUES (?, ?, ?, ?, ?)",
            [
                (number, f"{_KINDS[number % len(_KINDS)]} no. {number}", 300 + 37 * number, 1000, dice.randrange(5000))
                for number in range(1, PRODUCTS + 1)
            ],
        )
        for order_id in range(1, ORDERS + 1):
            name = customer(int(dice.paretovariate(0.8)) % CUSTOMERS)
            bought = [dice.randint(1, PRODUCTS) for _ in range(dice.randint(1, 6))]
            placed_at = now - dice.randrange(180 * 86_400)
            database.execute("INSERT INTO orders VALUES (?, ?, ?, ?)", [order_id, name, placed_at, 1000 * len(bought)])
            database.executemany(
                "INSERT INTO order_lines (order_id, customer, product_id) VALUES (?, ?, ?)",
                [(order_id, name, product_id) for product_id in bought],
            )


if __name__ == "__main__":
    make(sys.argv[1])
