#!/usr/bin/env bash
# exit_in_task_test.sh PROGRAM MPIRUN...: exit() in a task of any rank ends the whole job within 5 s, and the last line on
# stderr says so.
set -u
. "$(dirname "$0")/job.sh"

for np in 0 1 2 4; do
  for code_in_task in 0 6; do
    start "$np" exit-in-task "$code_in_task"
    sleep 1  # to start; the sleeping tasks of the job would last a minute
    ends_within 8
    [ "$code_in_task" -eq 0 ] || [ "$code" -ne 0 ] || fail "exit($code_in_task) on $np ranks: the job ended with 0"
    [[ $(last_line) =~ ^manta:\ exit\ [0-9]+\ \(.+\)$ ]] || fail "exit($code_in_task) on $np ranks: the last line is '$(last_line)'"
  done
done
