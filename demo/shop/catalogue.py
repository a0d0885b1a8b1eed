"""Catalogue: products and their prices."""

from __future__ import annotations

import logging

from flask import Flask, abort
from shop.service import cursor, serve

app = Flask("catalogue")
log = logging.getLogger("catalogue")


@app.get("/products")
def products() -> list[dict[str, object]]:
    with cursor() as database:
        database.execute("SELECT id, name, price_cents FROM products ORDER BY sold DESC LIMIT 12")
        rows = database.fetchall()
    return [{"id": row[0], "name": row[1], "price_cents": row[2]} for row in rows]


@app.get("/products/<int:product_id>")
def product(product_id: int) -> dict[str, object]:
    with cursor() as database:
        database.execute("SELECT id, name, price_cents, stock FROM products WHERE id = ?", [product_id])
        row = database.fetchone()
    if row is None:
        log.warning("no product %d", product_id)
        abort(404)
    return {"id": row[0], "name": row[1], "price_cents": row[2], "stock": row[3]}


if __name__ == "__main__":
    serve(app)
