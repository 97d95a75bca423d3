# What libs/svc has for jobs: its CMakeLists.txt includes this and adds the sources to the library.
set(SVC_LANES_SOURCES idmap.c started.c job.c job_row.c job_walk.c lanes.c lanes_load.c lanes_groups.c lanes_store.c lanes_claim.c lanes_finish.c lanes_erase.c lanes_held.c outward_item.c outward.c wires.c)

# The tests take the scheduler by its sources: they are its turn, and define what turn.c does.
set(SVC_LANES_ONLY ${SVC_LANES_SOURCES})
list(REMOVE_ITEM SVC_LANES_ONLY outward.c wires.c)
list(APPEND SVC_LANES_ONLY erase_match.c)
aviary_unit_test(svc_lanes SOURCES lanes_test.c lanes_world.c ${SVC_LANES_ONLY} LIBS store sign schema base DEFINES _GNU_SOURCE=1)
aviary_unit_test(svc_lanes_names SOURCES lanes_names_test.c lanes_world.c ${SVC_LANES_ONLY} LIBS store sign schema base DEFINES _GNU_SOURCE=1)
aviary_unit_test(svc_lanes_held SOURCES lanes_held_test.c lanes_world.c ${SVC_LANES_ONLY} LIBS store sign schema base DEFINES _GNU_SOURCE=1)
aviary_unit_test(svc_lanes_crash SOURCES lanes_crash_test.c lanes_world.c ${SVC_LANES_ONLY} LIBS store sign schema base DEFINES _GNU_SOURCE=1)
aviary_unit_test(svc_started SOURCES started_test.c started.c LIBS base DEFINES _GNU_SOURCE=1)
aviary_unit_test(svc_outward SOURCES outward_test.c outward.c wires.c outward_item.c idmap.c steps.c ../fetch/http_peer_test.c LIBS fetch store base)
