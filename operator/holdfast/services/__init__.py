"""One use case a file. Services know ports, never the adapters behind them."""
