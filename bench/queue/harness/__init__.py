"""What bench/queue/run is made of."""
