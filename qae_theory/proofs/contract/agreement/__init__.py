"""Tie the code to theory: each public function against a slow, exact reference, on a plan that covers its inputs.

``references`` finds the references, ``comparison`` holds a function to them, ``plan`` has the cells. The claims
``shipped-agrees-...``, beside this folder, put all of it into the ledger.
"""
