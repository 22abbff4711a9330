#!/bin/sh
# Installs Coq with the libraries that the proofs use, from Debian's packages, where apt and root are there. Without them
# it changes nothing: the check that follows says what to install.
set -eu

packages="coq libcoq-interval libcoq-mathcomp-fingroup"
if command -v coqc >/dev/null 2>&1 && [ -d "$(coqc -where)/user-contrib/Interval" ]; then
    exit 0
fi
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" -eq 0 ]; then
    echo "Installing Coq (about a minute and 1.1 GB, once)"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
fi
