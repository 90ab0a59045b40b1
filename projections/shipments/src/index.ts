export { foldShipment, shipments, type ShipmentRow } from './shipments.ts';
