"""The pocket zoo: tiny models of real architectures, trained to have the behaviours of the tasks."""
