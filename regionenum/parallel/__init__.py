"""Parallel work: subtrees with budgets, one driver, three executors, and what a stopped run needs to go on."""
