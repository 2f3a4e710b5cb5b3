"""Two models and a mapper are enough: a suite is made for them, its sites are chosen, and what it takes is forecast."""
