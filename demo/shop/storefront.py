"""Storefront: what the visitors' browsers ask."""

from __future__ import annotations

import logging
import os

import requests
from flask import Flask, abort, request
from shop.service import TIMEOUT_SECONDS, ask, serve

app = Flask("storefront")
log = logging.getLogger("storefront")


@app.get("/")
def home() -> str:
    names = [
        f"<li><a href='/products/{one['id']}'>{one['name']}</a></li>" for one in ask("catalogue", "/products").json()
    ]
    return f"<h1>Tea &amp; Tools</h1><ul>{''.join(names)}</ul>"


@app.get("/products/<int:product_id>")
def product(product_id: int) -> str:
    try:
        one = ask("catalogue", f"/products/{product_id}").json()
    except requests.HTTPError as error:
        abort(error.response.status_code)
    return f"<h1>{one['name']}</h1><p>{one['price_cents'] / 100:.2f} EUR</p>"


@app.post("/checkout")
def checkout() -> tuple[dict[str, object], int]:
    cart = request.get_json()
    answer = requests.post(os.environ["ORDERS_URL"] + "/orders", json=cart, timeout=TIMEOUT_SECONDS)
    if answer.status_code >= 500:
        log.error("checkout of %s failed: orders answered %d", cart["customer"], answer.status_code)
        abort(502)
    log.info("checkout of %s done, order %d", cart["customer"], answer.json()["id"])
    return answer.json(), 201


if __name__ == "__main__":
    serve(app)
