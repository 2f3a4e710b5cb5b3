class Recorder:
    """A listener that remembers what it hears."""

    def __init__(self):
        self.reports, self.order = [], []

    def progress(self, job, what, done, of):
        self.reports.append((job, what, done, of))

    def ended(self, job, result):
        self.order.append(job)
