"""Model organisms: fine-tunes with a behaviour that was trained into them, each with a card that measures it."""
