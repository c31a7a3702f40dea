"""`timeouts demo`: the stages of a request, on real input, live and measured.

`schedule` says what arrives when, `load` sends it, `digits` answers it, `recorder` writes down what is
seen; `intervals`, `figures` make sense of the records, and `timeline`, `report`, `plot` show them.
"""
