package dev.qrumb.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * QueryService is the read side: what became of an event, and what the events add up to.
 * Every call needs a key of the site with the scope query.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class QueryServiceGrpc {

  private QueryServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "qrumb.v1.QueryService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.qrumb.v1.GetReceiptRequest,
      dev.qrumb.v1.GetReceiptResponse> getGetReceiptMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetReceipt",
      requestType = dev.qrumb.v1.GetReceiptRequest.class,
      responseType = dev.qrumb.v1.GetReceiptResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.qrumb.v1.GetReceiptRequest,
      dev.qrumb.v1.GetReceiptResponse> getGetReceiptMethod() {
    io.grpc.MethodDescriptor<dev.qrumb.v1.GetReceiptRequest, dev.qrumb.v1.GetReceiptResponse> getGetReceiptMethod;
    if ((getGetReceiptMethod = QueryServiceGrpc.getGetReceiptMethod) == null) {
      synchronized (QueryServiceGrpc.class) {
        if ((getGetReceiptMethod = QueryServiceGrpc.getGetReceiptMethod) == null) {
          QueryServiceGrpc.getGetReceiptMethod = getGetReceiptMethod =
              io.grpc.MethodDescriptor.<dev.qrumb.v1.GetReceiptRequest, dev.qrumb.v1.GetReceiptResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetReceipt"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.GetReceiptRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.GetReceiptResponse.getDefaultInstance()))
              .setSchemaDescriptor(new QueryServiceMethodDescriptorSupplier("GetReceipt"))
              .build();
        }
      }
    }
    return getGetReceiptMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.qrumb.v1.ListRejectedEventsRequest,
      dev.qrumb.v1.ListRejectedEventsResponse> getListRejectedEventsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListRejectedEvents",
      requestType = dev.qrumb.v1.ListRejectedEventsRequest.class,
      responseType = dev.qrumb.v1.ListRejectedEventsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.qrumb.v1.ListRejectedEventsRequest,
      dev.qrumb.v1.ListRejectedEventsResponse> getListRejectedEventsMethod() {
    io.grpc.MethodDescriptor<dev.qrumb.v1.ListRejectedEventsRequest, dev.qrumb.v1.ListRejectedEventsResponse> getListRejectedEventsMethod;
    if ((getListRejectedEventsMethod = QueryServiceGrpc.getListRejectedEventsMethod) == null) {
      synchronized (QueryServiceGrpc.class) {
        if ((getListRejectedEventsMethod = QueryServiceGrpc.getListRejectedEventsMethod) == null) {
          QueryServiceGrpc.getListRejectedEventsMethod = getListRejectedEventsMethod =
              io.grpc.MethodDescriptor.<dev.qrumb.v1.ListRejectedEventsRequest, dev.qrumb.v1.ListRejectedEventsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListRejectedEvents"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.ListRejectedEventsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.ListRejectedEventsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new QueryServiceMethodDescriptorSupplier("ListRejectedEvents"))
              .build();
        }
      }
    }
    return getListRejectedEventsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.qrumb.v1.TailEventsRequest,
      dev.qrumb.v1.TailEventsResponse> getTailEventsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "TailEvents",
      requestType = dev.qrumb.v1.TailEventsRequest.class,
      responseType = dev.qrumb.v1.TailEventsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.qrumb.v1.TailEventsRequest,
      dev.qrumb.v1.TailEventsResponse> getTailEventsMethod() {
    io.grpc.MethodDescriptor<dev.qrumb.v1.TailEventsRequest, dev.qrumb.v1.TailEventsResponse> getTailEventsMethod;
    if ((getTailEventsMethod = QueryServiceGrpc.getTailEventsMethod) == null) {
      synchronized (QueryServiceGrpc.class) {
        if ((getTailEventsMethod = QueryServiceGrpc.getTailEventsMethod) == null) {
          QueryServiceGrpc.getTailEventsMethod = getTailEventsMethod =
              io.grpc.MethodDescriptor.<dev.qrumb.v1.TailEventsRequest, dev.qrumb.v1.TailEventsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "TailEvents"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.TailEventsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.TailEventsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new QueryServiceMethodDescriptorSupplier("TailEvents"))
              .build();
        }
      }
    }
    return getTailEventsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.qrumb.v1.CountEventsRequest,
      dev.qrumb.v1.CountEventsResponse> getCountEventsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CountEvents",
      requestType = dev.qrumb.v1.CountEventsRequest.class,
      responseType = dev.qrumb.v1.CountEventsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.qrumb.v1.CountEventsRequest,
      dev.qrumb.v1.CountEventsResponse> getCountEventsMethod() {
    io.grpc.MethodDescriptor<dev.qrumb.v1.CountEventsRequest, dev.qrumb.v1.CountEventsResponse> getCountEventsMethod;
    if ((getCountEventsMethod = QueryServiceGrpc.getCountEventsMethod) == null) {
      synchronized (QueryServiceGrpc.class) {
        if ((getCountEventsMethod = QueryServiceGrpc.getCountEventsMethod) == null) {
          QueryServiceGrpc.getCountEventsMethod = getCountEventsMethod =
              io.grpc.MethodDescriptor.<dev.qrumb.v1.CountEventsRequest, dev.qrumb.v1.CountEventsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CountEvents"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.CountEventsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.CountEventsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new QueryServiceMethodDescriptorSupplier("CountEvents"))
              .build();
        }
      }
    }
    return getCountEventsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.qrumb.v1.GetLedgerRequest,
      dev.qrumb.v1.GetLedgerResponse> getGetLedgerMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetLedger",
      requestType = dev.qrumb.v1.GetLedgerRequest.class,
      responseType = dev.qrumb.v1.GetLedgerResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.qrumb.v1.GetLedgerRequest,
      dev.qrumb.v1.GetLedgerResponse> getGetLedgerMethod() {
    io.grpc.MethodDescriptor<dev.qrumb.v1.GetLedgerRequest, dev.qrumb.v1.GetLedgerResponse> getGetLedgerMethod;
    if ((getGetLedgerMethod = QueryServiceGrpc.getGetLedgerMethod) == null) {
      synchronized (QueryServiceGrpc.class) {
        if ((getGetLedgerMethod = QueryServiceGrpc.getGetLedgerMethod) == null) {
          QueryServiceGrpc.getGetLedgerMethod = getGetLedgerMethod =
              io.grpc.MethodDescriptor.<dev.qrumb.v1.GetLedgerRequest, dev.qrumb.v1.GetLedgerResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetLedger"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.GetLedgerRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.GetLedgerResponse.getDefaultInstance()))
              .setSchemaDescriptor(new QueryServiceMethodDescriptorSupplier("GetLedger"))
              .build();
        }
      }
    }
    return getGetLedgerMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.qrumb.v1.GetFunnelRequest,
      dev.qrumb.v1.GetFunnelResponse> getGetFunnelMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetFunnel",
      requestType = dev.qrumb.v1.GetFunnelRequest.class,
      responseType = dev.qrumb.v1.GetFunnelResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.qrumb.v1.GetFunnelRequest,
      dev.qrumb.v1.GetFunnelResponse> getGetFunnelMethod() {
    io.grpc.MethodDescriptor<dev.qrumb.v1.GetFunnelRequest, dev.qrumb.v1.GetFunnelResponse> getGetFunnelMethod;
    if ((getGetFunnelMethod = QueryServiceGrpc.getGetFunnelMethod) == null) {
      synchronized (QueryServiceGrpc.class) {
        if ((getGetFunnelMethod = QueryServiceGrpc.getGetFunnelMethod) == null) {
          QueryServiceGrpc.getGetFunnelMethod = getGetFunnelMethod =
              io.grpc.MethodDescriptor.<dev.qrumb.v1.GetFunnelRequest, dev.qrumb.v1.GetFunnelResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetFunnel"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.GetFunnelRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.qrumb.v1.GetFunnelResponse.getDefaultInstance()))
              .setSchemaDescriptor(new QueryServiceMethodDescriptorSupplier("GetFunnel"))
              .build();
        }
      }
    }
    return getGetFunnelMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static QueryServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<QueryServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<QueryServiceStub>() {
        @java.lang.Override
        public QueryServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new QueryServiceStub(channel, callOptions);
        }
      };
    return QueryServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static QueryServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<QueryServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<QueryServiceBlockingV2Stub>() {
        @java.lang.Override
        public QueryServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new QueryServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return QueryServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static QueryServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<QueryServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<QueryServiceBlockingStub>() {
        @java.lang.Override
        public QueryServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new QueryServiceBlockingStub(channel, callOptions);
        }
      };
    return QueryServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static QueryServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<QueryServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<QueryServiceFutureStub>() {
        @java.lang.Override
        public QueryServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new QueryServiceFutureStub(channel, callOptions);
        }
      };
    return QueryServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * QueryService is the read side: what became of an event, and what the events add up to.
   * Every call needs a key of the site with the scope query.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Says what became of one event. An event that was never seen is the fate NOT_SEEN, not an error.
     * </pre>
     */
    default void getReceipt(dev.qrumb.v1.GetReceiptRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.GetReceiptResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetReceiptMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists rejected events, the newest first.
     * </pre>
     */
    default void listRejectedEvents(dev.qrumb.v1.ListRejectedEventsRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.ListRejectedEventsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListRejectedEventsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists the newest events of a site; call again with the returned cursor to follow.
     * </pre>
     */
    default void tailEvents(dev.qrumb.v1.TailEventsRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.TailEventsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getTailEventsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Counts events over time.
     * </pre>
     */
    default void countEvents(dev.qrumb.v1.CountEventsRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.CountEventsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCountEventsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Balances the events of a site: received = stored + rejected + spooled, stored = unique + duplicate.
     * </pre>
     */
    default void getLedger(dev.qrumb.v1.GetLedgerRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.GetLedgerResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetLedgerMethod(), responseObserver);
    }

    /**
     * <pre>
     * Follows scan sessions from the scan to the conversion, for each QR code.
     * </pre>
     */
    default void getFunnel(dev.qrumb.v1.GetFunnelRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.GetFunnelResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetFunnelMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service QueryService.
   * <pre>
   * QueryService is the read side: what became of an event, and what the events add up to.
   * Every call needs a key of the site with the scope query.
   * </pre>
   */
  public static abstract class QueryServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return QueryServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service QueryService.
   * <pre>
   * QueryService is the read side: what became of an event, and what the events add up to.
   * Every call needs a key of the site with the scope query.
   * </pre>
   */
  public static final class QueryServiceStub
      extends io.grpc.stub.AbstractAsyncStub<QueryServiceStub> {
    private QueryServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected QueryServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new QueryServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Says what became of one event. An event that was never seen is the fate NOT_SEEN, not an error.
     * </pre>
     */
    public void getReceipt(dev.qrumb.v1.GetReceiptRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.GetReceiptResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetReceiptMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists rejected events, the newest first.
     * </pre>
     */
    public void listRejectedEvents(dev.qrumb.v1.ListRejectedEventsRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.ListRejectedEventsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListRejectedEventsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists the newest events of a site; call again with the returned cursor to follow.
     * </pre>
     */
    public void tailEvents(dev.qrumb.v1.TailEventsRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.TailEventsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getTailEventsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Counts events over time.
     * </pre>
     */
    public void countEvents(dev.qrumb.v1.CountEventsRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.CountEventsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCountEventsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Balances the events of a site: received = stored + rejected + spooled, stored = unique + duplicate.
     * </pre>
     */
    public void getLedger(dev.qrumb.v1.GetLedgerRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.GetLedgerResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetLedgerMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Follows scan sessions from the scan to the conversion, for each QR code.
     * </pre>
     */
    public void getFunnel(dev.qrumb.v1.GetFunnelRequest request,
        io.grpc.stub.StreamObserver<dev.qrumb.v1.GetFunnelResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetFunnelMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service QueryService.
   * <pre>
   * QueryService is the read side: what became of an event, and what the events add up to.
   * Every call needs a key of the site with the scope query.
   * </pre>
   */
  public static final class QueryServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<QueryServiceBlockingV2Stub> {
    private QueryServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected QueryServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new QueryServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Says what became of one event. An event that was never seen is the fate NOT_SEEN, not an error.
     * </pre>
     */
    public dev.qrumb.v1.GetReceiptResponse getReceipt(dev.qrumb.v1.GetReceiptRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetReceiptMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists rejected events, the newest first.
     * </pre>
     */
    public dev.qrumb.v1.ListRejectedEventsResponse listRejectedEvents(dev.qrumb.v1.ListRejectedEventsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListRejectedEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the newest events of a site; call again with the returned cursor to follow.
     * </pre>
     */
    public dev.qrumb.v1.TailEventsResponse tailEvents(dev.qrumb.v1.TailEventsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getTailEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Counts events over time.
     * </pre>
     */
    public dev.qrumb.v1.CountEventsResponse countEvents(dev.qrumb.v1.CountEventsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCountEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Balances the events of a site: received = stored + rejected + spooled, stored = unique + duplicate.
     * </pre>
     */
    public dev.qrumb.v1.GetLedgerResponse getLedger(dev.qrumb.v1.GetLedgerRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetLedgerMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Follows scan sessions from the scan to the conversion, for each QR code.
     * </pre>
     */
    public dev.qrumb.v1.GetFunnelResponse getFunnel(dev.qrumb.v1.GetFunnelRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetFunnelMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service QueryService.
   * <pre>
   * QueryService is the read side: what became of an event, and what the events add up to.
   * Every call needs a key of the site with the scope query.
   * </pre>
   */
  public static final class QueryServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<QueryServiceBlockingStub> {
    private QueryServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected QueryServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new QueryServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Says what became of one event. An event that was never seen is the fate NOT_SEEN, not an error.
     * </pre>
     */
    public dev.qrumb.v1.GetReceiptResponse getReceipt(dev.qrumb.v1.GetReceiptRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetReceiptMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists rejected events, the newest first.
     * </pre>
     */
    public dev.qrumb.v1.ListRejectedEventsResponse listRejectedEvents(dev.qrumb.v1.ListRejectedEventsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListRejectedEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the newest events of a site; call again with the returned cursor to follow.
     * </pre>
     */
    public dev.qrumb.v1.TailEventsResponse tailEvents(dev.qrumb.v1.TailEventsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getTailEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Counts events over time.
     * </pre>
     */
    public dev.qrumb.v1.CountEventsResponse countEvents(dev.qrumb.v1.CountEventsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCountEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Balances the events of a site: received = stored + rejected + spooled, stored = unique + duplicate.
     * </pre>
     */
    public dev.qrumb.v1.GetLedgerResponse getLedger(dev.qrumb.v1.GetLedgerRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetLedgerMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Follows scan sessions from the scan to the conversion, for each QR code.
     * </pre>
     */
    public dev.qrumb.v1.GetFunnelResponse getFunnel(dev.qrumb.v1.GetFunnelRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetFunnelMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service QueryService.
   * <pre>
   * QueryService is the read side: what became of an event, and what the events add up to.
   * Every call needs a key of the site with the scope query.
   * </pre>
   */
  public static final class QueryServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<QueryServiceFutureStub> {
    private QueryServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected QueryServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new QueryServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Says what became of one event. An event that was never seen is the fate NOT_SEEN, not an error.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.qrumb.v1.GetReceiptResponse> getReceipt(
        dev.qrumb.v1.GetReceiptRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetReceiptMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists rejected events, the newest first.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.qrumb.v1.ListRejectedEventsResponse> listRejectedEvents(
        dev.qrumb.v1.ListRejectedEventsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListRejectedEventsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists the newest events of a site; call again with the returned cursor to follow.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.qrumb.v1.TailEventsResponse> tailEvents(
        dev.qrumb.v1.TailEventsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getTailEventsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Counts events over time.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.qrumb.v1.CountEventsResponse> countEvents(
        dev.qrumb.v1.CountEventsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCountEventsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Balances the events of a site: received = stored + rejected + spooled, stored = unique + duplicate.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.qrumb.v1.GetLedgerResponse> getLedger(
        dev.qrumb.v1.GetLedgerRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetLedgerMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Follows scan sessions from the scan to the conversion, for each QR code.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.qrumb.v1.GetFunnelResponse> getFunnel(
        dev.qrumb.v1.GetFunnelRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetFunnelMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_GET_RECEIPT = 0;
  private static final int METHODID_LIST_REJECTED_EVENTS = 1;
  private static final int METHODID_TAIL_EVENTS = 2;
  private static final int METHODID_COUNT_EVENTS = 3;
  private static final int METHODID_GET_LEDGER = 4;
  private static final int METHODID_GET_FUNNEL = 5;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_GET_RECEIPT:
          serviceImpl.getReceipt((dev.qrumb.v1.GetReceiptRequest) request,
              (io.grpc.stub.StreamObserver<dev.qrumb.v1.GetReceiptResponse>) responseObserver);
          break;
        case METHODID_LIST_REJECTED_EVENTS:
          serviceImpl.listRejectedEvents((dev.qrumb.v1.ListRejectedEventsRequest) request,
              (io.grpc.stub.StreamObserver<dev.qrumb.v1.ListRejectedEventsResponse>) responseObserver);
          break;
        case METHODID_TAIL_EVENTS:
          serviceImpl.tailEvents((dev.qrumb.v1.TailEventsRequest) request,
              (io.grpc.stub.StreamObserver<dev.qrumb.v1.TailEventsResponse>) responseObserver);
          break;
        case METHODID_COUNT_EVENTS:
          serviceImpl.countEvents((dev.qrumb.v1.CountEventsRequest) request,
              (io.grpc.stub.StreamObserver<dev.qrumb.v1.CountEventsResponse>) responseObserver);
          break;
        case METHODID_GET_LEDGER:
          serviceImpl.getLedger((dev.qrumb.v1.GetLedgerRequest) request,
              (io.grpc.stub.StreamObserver<dev.qrumb.v1.GetLedgerResponse>) responseObserver);
          break;
        case METHODID_GET_FUNNEL:
          serviceImpl.getFunnel((dev.qrumb.v1.GetFunnelRequest) request,
              (io.grpc.stub.StreamObserver<dev.qrumb.v1.GetFunnelResponse>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getGetReceiptMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.qrumb.v1.GetReceiptRequest,
              dev.qrumb.v1.GetReceiptResponse>(
                service, METHODID_GET_RECEIPT)))
        .addMethod(
          getListRejectedEventsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.qrumb.v1.ListRejectedEventsRequest,
              dev.qrumb.v1.ListRejectedEventsResponse>(
                service, METHODID_LIST_REJECTED_EVENTS)))
        .addMethod(
          getTailEventsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.qrumb.v1.TailEventsRequest,
              dev.qrumb.v1.TailEventsResponse>(
                service, METHODID_TAIL_EVENTS)))
        .addMethod(
          getCountEventsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.qrumb.v1.CountEventsRequest,
              dev.qrumb.v1.CountEventsResponse>(
                service, METHODID_COUNT_EVENTS)))
        .addMethod(
          getGetLedgerMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.qrumb.v1.GetLedgerRequest,
              dev.qrumb.v1.GetLedgerResponse>(
                service, METHODID_GET_LEDGER)))
        .addMethod(
          getGetFunnelMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.qrumb.v1.GetFunnelRequest,
              dev.qrumb.v1.GetFunnelResponse>(
                service, METHODID_GET_FUNNEL)))
        .build();
  }

  private static abstract class QueryServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    QueryServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.qrumb.v1.QueryServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("QueryService");
    }
  }

  private static final class QueryServiceFileDescriptorSupplier
      extends QueryServiceBaseDescriptorSupplier {
    QueryServiceFileDescriptorSupplier() {}
  }

  private static final class QueryServiceMethodDescriptorSupplier
      extends QueryServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    QueryServiceMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (QueryServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new QueryServiceFileDescriptorSupplier())
              .addMethod(getGetReceiptMethod())
              .addMethod(getListRejectedEventsMethod())
              .addMethod(getTailEventsMethod())
              .addMethod(getCountEventsMethod())
              .addMethod(getGetLedgerMethod())
              .addMethod(getGetFunnelMethod())
              .build();
        }
      }
    }
    return result;
  }
}
