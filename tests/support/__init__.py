"""What tests, benchmarks and soaks share: real servers in temporary folders."""
