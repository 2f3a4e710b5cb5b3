"""The pocket world as a dataset: what the shipped models were trained on, in other splits."""
