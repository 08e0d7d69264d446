target_sources(trireme_worker_core PRIVATE
  doctor/cpu_list.cpp
  doctor/doctor.cpp
  doctor/findings.cpp
  doctor/folder_check.cpp
  doctor/link_check.cpp
  doctor/rank_facts.cpp
  doctor/report.cpp)
