"""What every `Store` must do, whatever it is made of."""
