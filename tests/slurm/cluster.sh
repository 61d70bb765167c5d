#!/usr/bin/env bash
# A Slurm of two nodes on this machine, for the time of one command.
#
#   tests/slurm/cluster.sh COMMAND [ARGUMENT...]
#
# installs Slurm through apt-get where it is missing (as root), starts daemons of its own in a temporary folder (an
# installed cluster is not touched), runs the command with SLURM_CONF set, stops the daemons whatever happens, and ends
# with the command's exit code, or with 77 where there is no Slurm and none can be installed.
set -euo pipefail

readonly UNAVAILABLE=77
readonly START_SECONDS=60

(($#)) || { echo "usage: $0 COMMAND [ARGUMENT...]" >&2; exit 2; }

# slurmctld and the others are in sbin, which is not in everybody's PATH
PATH=$PATH:/usr/sbin:/sbin

unavailable() {
  echo "NOT RUN: no Slurm here, and none can be installed: $1" >&2
  exit "$UNAVAILABLE"
}

installed() {
  local program
  for program in slurmctld slurmd sbatch srun scontrol munged; do
    command -v "$program" >/dev/null || return 1
  done
}

if ! installed; then
  command -v apt-get >/dev/null || unavailable "there is no apt-get; install Slurm and munge"
  ((EUID == 0)) || unavailable "apt-get needs root"
  export DEBIAN_FRONTEND=noninteractive
  packages=(slurmctld slurmd slurm-client munge)
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${packages[@]}"; } >&2 \
    || unavailable "apt-get failed, see above"
  installed || unavailable "apt-get installed ${packages[*]}, but their programs are not in PATH"
fi

# sockets have short paths
folder=$(mktemp -d /tmp/slurm-test.XXXXXX)
chmod 755 "$folder"
mkdir "$folder"/{state,spool,log}
pids=()

# A daemon is a child in the foreground: its process number is known, and it cannot outlive `stop`.
daemon() {
  "$@" >>"$folder/log/output" 2>&1 &
  pids+=($!)
}

stop() {
  local code=$? pid
  trap - EXIT
  if ((${#pids[@]} > 1)); then
    # jobs first, which may take KillWait: the daemons would leave them behind
    scancel --quiet --user "$(id -un)" 2>/dev/null || true
    for _ in $(seq 60); do
      [[ -z $(squeue --noheader 2>/dev/null) ]] && break
      sleep 0.5
    done
  fi
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    pid=${pids[i]}
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$folder"
  exit "$code"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

free_port() {
  local port
  while port=$((20000 + RANDOM % 12000)); (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
  echo "$port"
}

user=$(id -un)
host=$(hostname -s)
export SLURM_CONF=$folder/slurm.conf
# Partition `urgent` preempts jobs of `main`: they are requeued, after the warning that GraceTime allows for.
cat >"$SLURM_CONF" <<CONF
ClusterName=test
# numbers that no other Slurm on this machine has used: MPICH names shared memory after them
FirstJobId=$((100000 + RANDOM * 20))
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CryptoType=crypto/munge
SlurmUser=$user
SlurmdUser=$user
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld
SlurmdLogFile=$folder/log/slurmd-%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=20
NodeName=node1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(free_port) CPUs=2 RealMemory=4000
NodeName=node2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(free_port) CPUs=2 RealMemory=4000
PartitionName=main Nodes=node1,node2 Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=20
PartitionName=urgent Nodes=node1,node2 MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
CONF

(umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")
daemon munged --foreground --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
  --pid-file="$folder/munged.pid" --log-file="$folder/log/munged" --seed-file="$folder/munged.seed"
daemon slurmctld -D
daemon slurmd -D -N node1
daemon slurmd -D -N node2

for ((second = 0; ; second++)); do
  ready=$(sinfo --noheader --Node --partition main --format %t 2>/dev/null | grep -c '^idle$' || true)
  ((ready == 2)) && break
  if ((second == START_SECONDS)); then
    tail -n 30 "$folder"/log/* >&2
    echo "$0: the nodes did not become idle within $START_SECONDS s; the logs are above" >&2
    exit 1
  fi
  sleep 1
done

"$@"
