// Debian's static Boost libraries are not position-independent, so that a shared object cannot take them; Boost.JSON is
// compiled into the module instead.
#include <boost/json/src.hpp>
