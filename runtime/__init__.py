"""From a graph to arrays: autodiff, the oracle interpreter, plans and what runs them."""
