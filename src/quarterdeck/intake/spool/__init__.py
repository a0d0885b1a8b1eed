"""Frames on their way: durable once acknowledged, until the engine has them."""
