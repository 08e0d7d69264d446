-- Trireme as a module of Lmod, wherever its folder stands: module use PREFIX/share/modulefiles; module load trireme
-- Open MPI must be loaded too where it is a module; Trireme was linked against one of its versions.
local version = myModuleVersion()
local prefix = myFileName():gsub("/share/modulefiles/.*", "")

help([[
Generative models on many GPUs, one MPI rank a GPU.
  trireme run JOB.yaml -n 8       trireme doctor -n 8       trireme slurm JOB.yaml --nodes 2 --gpus-per-node 4
]])
whatis("Name: trireme")
whatis("Version: " .. version)
whatis("Description: generative models on many GPUs, one MPI rank a GPU")

prepend_path("PATH", pathJoin(prefix, "bin"))
setenv("TRIREME_ROOT", prefix)
