"""The leaderboard: entries are checked, compared, ranked and shown on a page."""
