"""The rooms that know Faust and aiokafka: app, topics, transport, agents, state, dead letters."""
