"""What runs inside a stack to watch and heal it. Imports nothing of the other rooms."""
