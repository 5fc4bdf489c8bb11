#!/bin/sh
# Fetches Fashion-MNIST (Zalando, MIT licence) from Debian's package dataset-fashion-mnist, without root and without
# installing it, and prints the folder of its four files. Where that cannot be done it says why, prints nothing and fails.
# usage: tools/fashion_mnist.sh [FOLDER]     (default: build/fashion-mnist)
set -u
folder=${1:-$(dirname "$0")/../build/fashion-mnist}
files="train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz"

give_up() {
  printf 'Fashion-MNIST is not here: %s. SHRINKAGE_FASHION_MNIST may name a folder that holds %s\n' "$1" "$files" >&2
  exit 1
}

complete() {
  for name in $files; do
    [ -f "$1/$name" ] || return 1
  done
}

found() {
  printf '%s\n' "$(cd "$1" && pwd)"
  exit 0
}

for place in "$folder" /usr/share/datasets/fashion-mnist; do
  complete "$place" && found "$place"
done
command -v apt-get >/dev/null 2>&1 || give_up "apt-get is needed to fetch the package"
command -v dpkg-deb >/dev/null 2>&1 || give_up "dpkg-deb is needed to unpack the package"
mkdir -p "$folder" || give_up "$folder cannot be made"
scratch=$(mktemp -d "$folder/.fetch.XXXXXX") || give_up "$folder cannot be written to"
trap 'rm -rf "$scratch"' EXIT
(cd "$scratch" && apt-get download dataset-fashion-mnist >log 2>&1) || give_up "apt-get download dataset-fashion-mnist failed"
dpkg-deb -x "$scratch"/dataset-fashion-mnist_*.deb "$scratch/unpacked" || give_up "the package does not unpack"
for name in $files; do
  mv "$scratch/unpacked/usr/share/datasets/fashion-mnist/$name" "$folder/$name" || give_up "the package lacks $name"
done
found "$folder"
