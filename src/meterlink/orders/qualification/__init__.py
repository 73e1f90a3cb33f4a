"""What is proven of a model: the ten facts, the probes in their order, and the walk through them. No I/O."""
