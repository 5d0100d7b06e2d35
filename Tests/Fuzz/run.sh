#!/usr/bin/env bash
# Runs every fuzz target for a while, or those that are named. Usage: run.sh SECONDS [TARGET...]
#
# What was learnt stays in .build/fuzz/corpus for the next run; bytes that trap are left in .build/fuzz/findings.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=$1
shift
export TENDRIL_FUZZ=1
# The loop is called from main: the variant of the library without one.
library=$(echo "$(dirname "$(readlink -f "$(command -v swift)")")"/../lib/clang/*/lib/linux/libclang_rt.fuzzer_no_main-"$(uname -m)".a)
[[ -e $library ]] || { echo "error: this toolchain has no libFuzzer" >&2; exit 1; }
# Optimized, and with its assertions: what the product traps at is a finding. The option is the compiler's alone, for with it the
# driver would link a second main.
swift build -c release --scratch-path .build/fuzz --product tendril-fuzz -Xswiftc -Xfrontend -Xswiftc -sanitize=fuzzer \
  -Xlinker "$library" -Xlinker -lstdc++ -Xlinker -lm
program=.build/fuzz/release/tendril-fuzz
if (($# == 0)); then
  mapfile -t targets < <("$program")
  set -- "${targets[@]}"
fi
mkdir -p .build/fuzz/findings
for target; do
  mkdir -p ".build/fuzz/corpus/$target"
  echo "$target: $seconds s"
  # The runtime's own report would end the process before libFuzzer has kept the bytes.
  SWIFT_BACKTRACE=enable=no "$program" "$target" ".build/fuzz/corpus/$target" -max_total_time="$seconds" -timeout=10 \
    -max_len=10000 -artifact_prefix=".build/fuzz/findings/$target-" -print_final_stats=1 -verbosity=1 2>".build/fuzz/$target.log" || {
    tail -n 30 ".build/fuzz/$target.log" >&2
    exit 1
  }
  sed -n 's/^stat::number_of_executed_units: */  runs: /p' ".build/fuzz/$target.log"
  grep -o 'cov: [0-9]* ft: [0-9]*' ".build/fuzz/$target.log" | tail -n 1 | sed 's/^/  /'
done
