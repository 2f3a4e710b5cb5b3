"""Do steering vectors survive the transfer into another language model, and at what cost?"""
