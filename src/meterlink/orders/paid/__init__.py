"""What money sets off: reconnection, top-up, and the clocks of those who have paid."""
