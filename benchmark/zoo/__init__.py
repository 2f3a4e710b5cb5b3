"""The pocket zoo: tiny models of real architectures that have the behaviours."""
