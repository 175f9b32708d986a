#pragma once

// For a script that changes parts of functions of earlier schemas. Between the two stand rows of VALUES: a function,
// what stands in it, and what takes the place of that. Scripts that have been released contain them: their text never
// changes.
#define SEEDCORE_PG_REWRITE_BEGIN \
  "DO $$\n"                       \
  "DECLARE\n"                     \
  "  v_change record;\n"          \
  "  v_before text;\n"            \
  "  v_after  text;\n"            \
  "BEGIN\n"                       \
  "  FOR v_change IN VALUES\n"
#define SEEDCORE_PG_REWRITE_END                                                                   \
  "  LOOP\n"                                                                                      \
  "    v_before := pg_get_functiondef(v_change.column1::regproc);\n"                              \
  "    v_after := replace(v_before, v_change.column2, v_change.column3);\n"                       \
  "    IF v_after = v_before THEN\n"                                                              \
  "      RAISE EXCEPTION 'the function % is not that of the earlier schema', v_change.column1;\n" \
  "    END IF;\n"                                                                                 \
  "    EXECUTE v_after;\n"                                                                        \
  "  END LOOP;\n"                                                                                 \
  "END $$;\n"
