"""`siegel verify sealed`: does anything of what customers write rest on the disk in a form that can be read?"""
