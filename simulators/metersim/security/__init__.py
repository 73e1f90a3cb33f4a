"""The LAB-SM4 suite: what protects orders to simulated meters, on both sides. It knows no meter and no line.

Everything here is for laboratories. The keys come from a root that is published; whoever can read can trip
these meters. Production keys live in security modules of meters and in encryption machines of utilities.

`metersim.security.sm4` is the cipher, `keys` what is made from the root, `suite645` and `suite698` the
formulas, `module` the meter's side with its sessions and counters, `provider` the head-end's side, and
`hsm` the process that offers it.
"""
