"""The read side: views, and the statements behind them."""
