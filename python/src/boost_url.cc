// As boost_json.cc, for Boost.URL.
#include <boost/url/src.hpp>
