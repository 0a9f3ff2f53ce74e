"""The doctor: the gate is judged by stores that are known to be broken, and by correct ones."""
