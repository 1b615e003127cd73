#!/usr/bin/env bash
# Make ort.js and ort.wasm.gz anew from ONNX Runtime Web: exact versions, checked, and the same bytes every time.
# Needs npm, a network for it, and GNU gzip.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
version=1.30.0
package=d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71 # SHA-256 of the package
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent "onnxruntime-web@$version"
echo "$package  onnxruntime-web-$version.tgz" | sha256sum --check --quiet
npm init --yes > init.log
npm install --silent --ignore-scripts "./onnxruntime-web-$version.tgz" esbuild@0.28.2
node node_modules/esbuild/install.js # fetches nothing where the platform's program was installed
echo 'export * from "onnxruntime-web/wasm"' > entry.js
npx esbuild entry.js --bundle --minify --format=iife --global-name=ort --log-level=warning --outfile="$here/ort.js"
gzip -9 -n -c node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm > "$here/ort.wasm.gz"
sha256sum "$here/ort.js" "$here/ort.wasm.gz"
