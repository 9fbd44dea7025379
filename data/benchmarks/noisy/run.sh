#!/bin/sh
# The rows of this folder and of noisy-gaussian, from the root of the repository, in an environment
# without the extras "lpips" and "features"; each command goes on where it was stopped.
set -e
E="deqir-lite evaluate --sizes 64 --out data/benchmarks/noisy"
T="--timesteps 20 --spacing cubic"
LEVELS="--sigma-y 0,0.03,0.1,0.3"
LONG="--tasks pool4,inpaint-random --timesteps 100 --spacing uniform --sigma-y 0.1"
THREE="--tasks pool4,inpaint-random,deblur-gaussian"

$E $THREE $T $LEVELS --methods pinv,baseline,ddnm,ddnm+,diffpir,weighted
$E $THREE $T --sigma-y 0.1 --methods ddrm,pigdm,mmps
$E $LONG --methods ddnm,ddnm+,weighted,dps
# DDNM+ and DDRM with DDNM's share of fresh noise, DDNM with theirs
$E $THREE $T $LEVELS --methods ddnm+,ddrm --eta 1
$E $LONG --methods ddnm+ --eta 1
$E $THREE $T $LEVELS --methods ddnm --eta .85
$E $LONG --methods ddnm --eta .85
# DiffPIR with the share published for the kind of task, and two more that do not know the noise
$E --tasks inpaint-random $T $LEVELS --methods diffpir:zeta=1,repaint:returns=5x3
$E --tasks pool4 $T $LEVELS --methods diffpir:zeta=.25,ilvr

# the mean of p(x | y) under the Gaussian prior: one weighted step from pure noise, in float64
deqir-lite evaluate --prior gaussian --dtype float64 --methods weighted --timesteps 1 \
    --spacing cubic --sizes 64 $THREE $LEVELS --out data/benchmarks/noisy-gaussian
