#pragma once

/// Everything of libringway but the embedded supervisor.
#include <ringway/bus.hpp>
#include <ringway/bytes.hpp>
#include <ringway/consumer.hpp>
#include <ringway/error.hpp>
#include <ringway/level.hpp>
#include <ringway/lost_pages.hpp>
#include <ringway/producer.hpp>
#include <ringway/record.hpp>
#include <ringway/status.hpp>
#include <ringway/topic.hpp>
