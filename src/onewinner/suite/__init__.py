"""The suite: ties each clause of the contract to its checks and answers one result tree."""
