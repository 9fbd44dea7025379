"""What parallel sampling costs: ours, the walk and the relatives, on the same chain."""
