"""``edge-pneumo doctor``: is all in order with this machine, and where it is not, what is to be done?

A check is a function of a ``Machine`` and a ``Subject`` that returns a ``Verdict``; ``checks.CHECKS`` names them, in
the order in which they are shown. Neither numpy nor an engine has to load for it: whether they do is found out in
processes of their own, for one that does not may take its process with it.
"""
