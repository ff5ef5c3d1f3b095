#!/bin/sh
# Makes the runs of this folder anew (about 4 minutes), from the checkout's root:
#
#     PYTHON=<python of the locked environment> sh testdata/small_grid/make.sh
#
# Real runs of the real launchers, but far too short and small to have learned
# anything: they are there to test the report. lagrange_lr and meta_lr are large
# so that lambda and alpha_lambda move within eight episodes. Kept are the files
# that the report reads; `workdir` is cut to the run's name.
set -eu

grid=testdata/small_grid
common="--suite=builtin --constraints=slider_pos --threshold=0.115
  --policy_layer_sizes=16,16 --critic_layer_sizes=16,16 --noxla --batch_size=32
  --samples_per_insert=1 --num_episodes=8 --evaluation_period=4
  --lagrange_lr=0.01 --meta_lr=0.01"
export TF_CPP_MIN_LOG_LEVEL=2 PYTHONPATH=.

# Sets `line`: train NAME LAUNCHER COEFFICIENT SEED [more flags]
train() {
  name=$1 launcher=$2 coefficient=$3 seed=$4
  shift 4
  echo "$name"
  # shellcheck disable=SC2086
  line="$PYTHON -m launchers.$launcher $common --workdir=$grid/$name
    --safety_coeff=$coefficient --seed=$seed $*"
}

for coefficient in 0.05 0.3; do
  for seed in 0 1; do
    for launcher in metal rc_d4pg d4pg; do
      train "$launcher-$coefficient-$seed" "$launcher" "$coefficient" "$seed"
      $line > /dev/null 2>&1
    done
    for multiplier in 0.1 1; do
      train "rs_d4pg-$multiplier-$coefficient-$seed" rs_d4pg "$coefficient" \
        "$seed" "--lagrange_multiplier=$multiplier"
      $line > /dev/null 2>&1
    done
  done
done

# One that is stopped after its third episode.
train metal-0.3-2 metal 0.3 2
$line > /dev/null 2>&1 &
process=$!
while [ "$(cat $grid/metal-0.3-2/episodes.csv 2> /dev/null | wc -l)" -lt 4 ]
do
  sleep 0.05
done
kill -INT $process
wait $process || true

find $grid -mindepth 2 -maxdepth 2 ! -name config.json ! -name episodes.csv \
  ! -name evaluations.csv ! -name summary.json -exec rm -r {} +
sed -i 's|"workdir": ".*/|"workdir": "|' $grid/*/config.json
