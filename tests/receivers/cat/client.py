"""A program of CAT's own Python client: run in an environment of its own, it sends what its arguments say and ends."""

from __future__ import annotations

import os
import sys
import time

import cat  # type: ignore[import-not-found]

_FLUSH_SECONDS = 4.0


def trees(count: int) -> None:
    for number in range(count):
        with cat.Transaction("URL", "/orders") as outer:
            outer.add_data("order", str(number))
            cat.log_event("Order", "created", "0", f"id={number}")
            with cat.Transaction("SQL", "select-order") as inner:
                inner.add_data("SELECT * FROM orders")
                if number % 5 == 0:
                    inner.set_status("TimeoutException")


def problems() -> None:
    with cat.Transaction("Service", "pay"):
        try:
            raise ValueError("支付失败")
        except ValueError as error:
            cat.log_exception(error)


def metrics() -> None:
    cat.metric("orders.paid").count(3)
    cat.metric("orders.paid").count(4)
    cat.metric("orders.wait").duration(250)


def main() -> None:
    domain, encoder, count = sys.argv[1:]
    cat.init(domain, encoder=cat.ENCODER_TEXT if encoder == "text" else cat.ENCODER_BINARY, sampling=True, debug=True)
    # The first messages wait until the client has found its server.
    time.sleep(2)
    trees(int(count))
    problems()
    metrics()
    time.sleep(_FLUSH_SECONDS)
    sys.stdout.flush()
    # The library's threads run on while Python takes itself apart, and crash there.
    os._exit(0)


if __name__ == "__main__":
    main()
