-- Generated from storage/tables by `make docs`: do not edit.
-- Citus on PostgreSQL: run once, after the migrations, on the coordinator of a cluster whose workers are joined.
-- The schema needs nothing else: principal_id is the first column of every key of a tenant table and stands in the
-- predicate of every statement. The directory tables are small and read by every request: each node has a copy.

SELECT create_reference_table('delegates');
SELECT create_reference_table('directory_addresses');
SELECT create_reference_table('directory_names');
SELECT create_reference_table('memberships');
SELECT create_reference_table('server_state');

SELECT create_distributed_table('principals', 'principal_id');
SELECT create_distributed_table('jobs', 'principal_id', colocate_with => 'principals');
SELECT create_distributed_table('occurrences', 'principal_id', colocate_with => 'principals');
SELECT create_distributed_table('calendars', 'principal_id', colocate_with => 'principals');
SELECT create_distributed_table('credentials', 'principal_id', colocate_with => 'principals');
SELECT create_distributed_table('dead_properties', 'principal_id', colocate_with => 'principals');
SELECT create_distributed_table('objects', 'principal_id', colocate_with => 'principals');
SELECT create_distributed_table('versions', 'principal_id', colocate_with => 'principals');
